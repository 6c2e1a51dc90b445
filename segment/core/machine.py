"""Which machine this is."""

import platform
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_machine() -> str:
    """What tells this machine from others, whatever its processes and containers take for its name."""
    return _BOOT.read_text().strip() if _BOOT.is_file() else platform.node()
