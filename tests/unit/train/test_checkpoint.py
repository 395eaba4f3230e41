import pytest
import torch

from vnvision.errors import ModelError
from vnvision.spec import TaskSpec
from vnvision.train import checkpoint

SPEC = TaskSpec(kind="classification", labels=[{"id": "a"}, {"id": "b"}], preprocess={"size_px": (8, 8)})


def write(root, serial):
    tensors = {"model": {"w": torch.full((3,), float(serial))}}
    return checkpoint.save(checkpoint.step_folder(root, serial), tensors, SPEC, {"serial": serial})


def test_the_newest_whole_checkpoint_is_found_and_old_ones_go(tmp_path):
    for serial in (2, 10, 9):
        write(tmp_path, serial)
    (tmp_path / ".step_000000011.77.tmp").mkdir()
    (tmp_path / "step_000000012").mkdir()
    latest = checkpoint.latest(tmp_path)
    assert latest.name == "step_000000010", "a folder without run.json is not a checkpoint"
    assert checkpoint.load(latest, "model")["w"].tolist() == [10.0] * 3
    assert checkpoint.read_state(latest) == {"serial": 10}
    checkpoint.prune(tmp_path, keep=2)
    assert not list(tmp_path.glob(".*"))


def test_replacing_a_folder_never_leaves_none(tmp_path, monkeypatch):
    folder = tmp_path / "best"
    checkpoint.save(folder, {"model": {"w": torch.zeros(1)}}, SPEC, {"n": 1})
    original = type(folder).rename
    calls = []

    def killed_at_the_second_rename(self, target):
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, target)

    monkeypatch.setattr(type(folder), "rename", killed_at_the_second_rename)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(folder, {"model": {"w": torch.ones(1)}}, SPEC, {"n": 2})
    monkeypatch.undo()
    assert not folder.exists()
    checkpoint.recover(folder)
    assert checkpoint.read_state(folder) == {"n": 1}


def test_a_damaged_file_is_named(tmp_path):
    folder = write(tmp_path, 1)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ModelError, match=r"cannot read checkpoint file .*model\.safetensors"):
        checkpoint.load(folder, "model")
    (folder / "run.json").write_text("{")
    with pytest.raises(ModelError, match="is not a checkpoint"):
        checkpoint.read_state(folder)


@pytest.mark.parametrize("make", [torch.optim.AdamW, lambda p: torch.optim.SGD(p, momentum=0.9)])
def test_optimiser_state_survives_the_round_trip(make):
    torch.manual_seed(0)
    one, two = torch.nn.Linear(4, 2), torch.nn.Linear(4, 2)
    x = torch.randn(8, 4)
    first = make(one.parameters())

    def step(net, optimiser):
        net(x).square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()

    step(one, first)
    two.load_state_dict(one.state_dict())
    second = make(two.parameters())

    def names(net):
        return {id(p): n for n, p in net.named_parameters()}

    packed = {k: v.clone() for k, v in checkpoint.pack_optimiser(first, names(one)).items()}
    checkpoint.unpack_optimiser(second, names(two), packed)
    step(one, first)
    step(two, second)
    assert torch.equal(one.weight, two.weight)


def test_a_fused_optimiser_goes_on_bit_for_bit_in_channels_last(tmp_path):
    """safetensors holds contiguous bytes; a fused step walks parameter and state by address."""
    from safetensors.torch import load_file, save_file

    def make():
        torch.manual_seed(0)
        net = torch.nn.Conv2d(4, 8, 3).to(memory_format=torch.channels_last)
        return net, torch.optim.AdamW(net.parameters(), fused=True)

    def step(net, optimiser):
        x = (
            torch.linspace(0, 1, 2 * 4 * 6 * 6)
            .reshape(2, 4, 6, 6)
            .contiguous(memory_format=torch.channels_last)
        )
        net(x).square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()

    one, first = make()
    step(one, first)
    names = {id(p): n for n, p in one.named_parameters()}
    packed = {k: v.contiguous() for k, v in checkpoint.pack_optimiser(first, names).items()}
    save_file(packed, tmp_path / "o.safetensors")
    two, second = make()
    two.load_state_dict(one.state_dict())
    loaded = load_file(tmp_path / "o.safetensors")
    checkpoint.unpack_optimiser(second, {id(p): n for n, p in two.named_parameters()}, loaded)
    step(one, first)
    step(two, second)
    assert torch.equal(one.weight, two.weight)
