"""The formats that a trained network is handed over in, a file each."""
