"""The operations of PyTorch's exported graphs as functions of JAX arrays; nothing here imports PyTorch."""
