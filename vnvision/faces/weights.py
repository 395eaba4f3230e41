"""Where the detector's and the embedder's weights come from; see ``vnvision.engines.published``."""

from vnvision.engines.published import (
    FOLDER_VARIABLE,
    KNOWN,
    FaceWeights,
    cache_folder,
    fetch_weights,
    find_weights,
)

__all__ = ["FOLDER_VARIABLE", "KNOWN", "FaceWeights", "cache_folder", "fetch_weights", "find_weights"]
