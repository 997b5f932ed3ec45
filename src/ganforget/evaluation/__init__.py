"""The measures of a GAN: features, statistics and distances, scores, the groups they are taken over."""
