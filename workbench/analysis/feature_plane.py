"""Images in a plane: the first two principal components of their features."""

import numpy as np

FITTED = 4000  # images that the plane is fitted to
CHUNK = 1024  # images at a time
TINY = 1e-6  # added to the spread of features, which may be constant


def feature_plane(features: np.ndarray, seed: int) -> np.ndarray:
    """Return where each image lies, float64 (n, 2), by principal components.

    Features are standardized first. The plane is fitted to at most `FITTED` images, so that memory
    is bounded and time grows with their number alone.

    Args:
        features: float (n, d), two or more each; may be memory-mapped.
        seed: of the choice of images, and of the randomized decomposition.
    """
    from sklearn.decomposition import PCA  # the import takes a second

    count = len(features)
    chosen = np.sort(np.random.default_rng(seed).permutation(count)[:FITTED])
    fitted = np.asarray(features[chosen], np.float32)
    mean, spread = fitted.mean(axis=0), fitted.std(axis=0) + TINY
    plane = PCA(2, svd_solver="randomized", random_state=seed).fit((fitted - mean) / spread)
    chunks = (features[at : at + CHUNK] for at in range(0, count, CHUNK))
    return np.concatenate([plane.transform((chunk - mean) / spread) for chunk in chunks]).astype(
        np.float64
    )
