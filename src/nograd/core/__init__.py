"""What all other folders use: random numbers, sums of trees, chunks, errors, metrics, text and the console."""
