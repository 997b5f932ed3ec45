"""Shapes as types. Under pytest they are checked at every call: [n, 1] against [n] would broadcast in silence.

In one signature the same name stands for the same size: two ``Images`` have one shape, ``Images`` and ``PerImage``
one n. ``Float`` is every floating-point precision.
"""

import numpy as np
from jaxtyping import Bool, Float, Integer
from torch import Tensor

__all__ = [
    "ClassFlags",
    "ClassMeans",
    "Features",
    "Images",
    "LabelArray",
    "LabelNumbers",
    "Labels",
    "Latents",
    "Logits",
    "OtherScores",
    "PerImage",
    "Rest",
    "Scalar",
    "Scores",
    "UnseenScores",
    "W",
    "Z",
]

Images = Float[Tensor, "n c h w"]
"""Images, in [−1, 1], or feature maps."""

Z = Float[Tensor, "n z_dim"]
"""Latents before the mapping."""

W = Float[Tensor, "n w_dim"]
"""One latent in W for each image."""

Latents = Float[Tensor, "n num_ws w_dim"]
"""``ws``: for each image a latent for each layer of the synthesis."""

ClassMeans = Float[Tensor, "classes w_dim"]
"""A mean latent w̄ for each class."""

Labels = Float[Tensor, "n c_dim"]
"""One-hot labels ``c``."""

LabelNumbers = Integer[Tensor, "n"]
"""Labels as numbers."""

LabelArray = Integer[np.ndarray, "n"]
"""Labels as numbers, in NumPy."""

ClassFlags = Bool[Tensor, "classes"]
"""A yes or no for each class."""

Features = Float[Tensor, "n channels 4 4"]
"""What D makes of images before its head."""

Rest = Float[Tensor, "n c 4 4"]
"""The images that an architecture of 'skip' carries along to D's head."""

Logits = Float[Tensor, "n 1"]
"""D's raw logits as the network returns them."""

PerImage = Float[Tensor, "n"]
"""A number for each image: a score, an error, a penalty."""

Scores = Float[Tensor | np.ndarray, "n"]
"""D's scores of one group of images."""

OtherScores = Float[Tensor | np.ndarray, "m"]
"""D's scores of another group."""

UnseenScores = Float[Tensor, "unseen"]
"""D's scores of images never trained on, or of what stands for them."""

Scalar = Float[Tensor, ""]
"""One number."""
