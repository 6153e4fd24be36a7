"""Turns published weights into the ONNX files that the services open. No framework, no foreign code."""
