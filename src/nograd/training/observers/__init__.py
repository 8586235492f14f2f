"""Observers that come with nograd: TensorBoard and Weights & Biases."""
