"""Models written for other programs: BioImage.IO packages and ONNX graphs."""
