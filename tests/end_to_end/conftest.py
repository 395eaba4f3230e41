"""One synthetic set, one run and one bundle for all end-to-end tests, made with the network blocked."""

import socket

import pytest

from vnvision.data.synthetic import write_leaves

CONFIG = """
name: tiny
domain: crop
backbone: test_efficientnet
weights: none
size_px: 64
augment: light
batch_size: 16
epochs: 2
lr: 0.002
compile: false
workers: 0
tensorboard: false
n_boot: 50
"""


def _refuse(self, address):
    # Other tests of the same process talk to servers of their own on this machine.
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
        raise AssertionError(f"a connection to {address} was tried")
    return _CONNECT(self, address)


_CONNECT = socket.socket.connect


@pytest.fixture(scope="session", autouse=True)
def no_network():
    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", _refuse)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def leaves(tmp_path_factory):
    return write_leaves(tmp_path_factory.mktemp("leaves") / "data", per_class=24, size_px=64)


@pytest.fixture(scope="session")
def config_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="session")
def run(leaves, config_file, tmp_path_factory):
    from vnvision import api

    return api.train(config_file, data=leaves, output=tmp_path_factory.mktemp("runs") / "run", quiet=True)


@pytest.fixture(scope="session")
def bundle(run):
    from vnvision import api

    return api.export(run)
