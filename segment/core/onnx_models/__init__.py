"""Models of others as ONNX files: described by their metadata or a YAML file, run by OpenVINO."""
