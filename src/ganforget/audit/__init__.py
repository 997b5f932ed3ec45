"""The audit: attacks on an unlearned GAN, their statistics, and a verdict against retrained GANs."""
