"""Export of a trained network, one file per format."""
