"""Arrays of your own: three noisy rings, told apart by a small network. The same works with an .npz or .csv file."""

import tempfile

import numpy as np

import nograd as ng

rng = np.random.default_rng(0)
y = rng.integers(0, 3, 1200).astype(np.int32)
angle = rng.uniform(0, 2 * np.pi, 1200)
x = ((1.0 + y + 0.15 * rng.normal(size=1200)) * [np.cos(angle), np.sin(angle)]).T.astype(np.float32)

with tempfile.TemporaryDirectory() as folder:
    np.savez(f"{folder}/rings.npz", x_train=x[:1000], y_train=y[:1000], x_test=x[1000:], y_test=y[1000:])
    run = ng.train(
        f"{folder}/rings.npz",
        model=ng.mlp(32),
        population=128,
        batch=256,
        sigma=0.1,
        lr=0.03,
        generations=300,
        target=0.97,
        out=f"{folder}/rings",
    )
    print(f"stopped by {run.result['stop_reason']} at generation {run.result['generations']}")
    print("classes of the first five test points:", run.predict(x[1000:1005]), "truth:", y[1000:1005])
    assert run.result["test_accuracy"] > 0.9
