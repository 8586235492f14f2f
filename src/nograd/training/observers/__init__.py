"""Who else watches a training: TensorBoard, Weights & Biases, a page."""
