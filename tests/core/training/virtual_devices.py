"""Starts Keras on two virtual devices, and with the other machines that the environment names; to
be imported before it.
"""

import os

from segment.core.model.backend import load_keras

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
os.environ["JAX_PLATFORMS"] = "cpu"
if os.environ["KERAS_BACKEND"] == "tensorflow":
    import tensorflow

    two = [tensorflow.config.LogicalDeviceConfiguration()] * 2
    tensorflow.config.set_logical_device_configuration(
        tensorflow.config.list_physical_devices("CPU")[0], two
    )
load_keras(join=True)
