import io

import pytest
from rich.console import Console as RichConsole

from segment.core.progress import Console, printed_note


@pytest.fixture
def terminal(monkeypatch) -> io.StringIO:
    """What a terminal of 120 columns is sent."""
    screen = io.StringIO()
    monkeypatch.setattr(
        "rich.console.Console", lambda **_: RichConsole(file=screen, force_terminal=True, width=120)
    )
    return screen


def test_a_warning_is_no_note():
    assert printed_note("Pixels are 1 m.") == "note: Pixels are 1 m."
    assert printed_note("Warning: It is grey.", "a.tif") == "warning: a.tif: It is grey."


def test_bars_show_counts_and_end_with_the_work(terminal):
    with Console() as console:
        console.advance("mapping", 3, 7, "halfway")
        console._bars.refresh()
        assert (
            "mapping" in terminal.getvalue()
            and "3/7" in terminal.getvalue()
            and "halfway" in terminal.getvalue()
        )
        console.advance("mapping", 7, 7)
        console.advance("mapping", 7, 7)
        assert console._bars.tasks == []


def test_results_go_to_stdout_when_it_is_redirected(terminal, capsys):
    with Console() as console:
        console.say("mean Jaccard 0.5")
    assert capsys.readouterr().out == "mean Jaccard 0.5\n"
