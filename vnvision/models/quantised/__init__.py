"""Networks that compute in training what 8-bit integers will compute in the field."""

from vnvision.models.quantised.equalise import equalise
from vnvision.models.quantised.fake import ActivationQuantiser
from vnvision.models.quantised.layers import QuantisedConv2d, QuantisedLinear, integers, plain
from vnvision.models.quantised.net import QuantisedNet, calibrate, quantise
from vnvision.models.quantised.options import QuantOptions

__all__ = [
    "ActivationQuantiser",
    "QuantOptions",
    "QuantisedConv2d",
    "QuantisedLinear",
    "QuantisedNet",
    "calibrate",
    "equalise",
    "integers",
    "plain",
    "quantise",
]
