"""Who computes a generation: this process, several, devices, a Ray cluster."""
