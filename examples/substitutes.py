"""Where the substitutes of one image lie: the building blocks without a run.

python examples/substitutes.py
"""

import torch

import ganforget
from ganforget.data import DataSpec
from ganforget.inversion import InversionConfig, invert
from ganforget.models.latents import latent_statistics
from ganforget.substitute import average, projection, truncation


def main() -> None:
    """Invert one digit and print how far its substitutes are from it, in W and in pixels."""
    gan, train = ganforget.load_model("digits"), ganforget.load_data(DataSpec("digits")).train
    assert train.labels is not None
    statistics = latent_statistics(gan.G, seed=0)
    inversion = invert(gan.G, train.tensor([0]), train.labels[:1], statistics, InversionConfig(steps=40))
    w_0 = inversion.ws
    mean = statistics.mean_of(torch.from_numpy(train.labels[:1]), 1)
    candidates = {
        "average": average(w_0, mean),
        "truncation, λ = 0.5": truncation(w_0, mean, 0.5),
        "projection, α = 0.5": projection(w_0, mean, 0.5),
    }
    print(f"digit {train.labels[0]}, inverted with a mean squared error of {inversion.errors.item():.4f}")
    with torch.no_grad():
        image = gan.G.synthesis(w_0, noise_mode="const")
        for name, w_hat in candidates.items():
            pixels = (gan.G.synthesis(w_hat, noise_mode="const") - image).square().mean()
            print(f"{name:20} {float((w_hat - w_0)[:, 0].norm()):6.2f} in W, {float(pixels):.4f} in pixels")


if __name__ == "__main__":
    main()
