"""The start of Keras."""

import logging

import pytest

from segment.core.model.backend import load_keras

pytestmark = pytest.mark.heavy


def test_advice_on_code_is_not_for_users(caplog: pytest.LogCaptureFixture) -> None:
    load_keras()
    logger = logging.getLogger("tensorflow")
    logger.addHandler(caplog.handler)
    try:
        logger.warning("5 out of the last %d calls to f triggered tf.function retracing.", 12)
        logger.warning("something else")
    finally:
        logger.removeHandler(caplog.handler)
    assert {record.getMessage() for record in caplog.records} == {"something else"}
