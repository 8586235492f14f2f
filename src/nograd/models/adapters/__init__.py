"""Networks of other libraries as models: Flax, Equinox, Keras, PyTorch."""
