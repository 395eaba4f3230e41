"""Files of class centres: what does not belong together is refused."""

import pytest
import torch
from safetensors.torch import save_file

from vnvision.errors import ModelError
from vnvision.losses.margin import build_head
from vnvision.losses.partial_fc import PartialFC
from vnvision.losses.partial_fc.collectives import Ranks


def layer(n_classes=7, *, head="cosface", rank=0, world=1, optimiser=torch.optim.AdamW):
    """A layer that holds one rank's classes, without the other ranks."""
    made = PartialFC(build_head(head), n_classes, 4)
    if world > 1:
        whole = made.weight
        made.ranks = Ranks(rank, world)
        made.rows.put(whole[made.shard.start : made.shard.end].clone(), {}, len(made.shard))
    if optimiser:
        made.attach(optimiser(made.parameters()))
    return made


def save(folder, step=3, **options):
    return [layer(rank=rank, world=2, **options).save_shard(folder, step=step) for rank in (0, 1)]


def test_files_are_named_by_their_classes_and_nothing_else_is_left(tmp_path):
    files = save(tmp_path)
    names = ["centres-0000000000-0000000003.safetensors", "centres-0000000004-0000000006.safetensors"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [p.name for p in files] == names
    made = layer()
    made.weight.zero_()
    assert made.load_shards(files[::-1]) == 3
    assert torch.equal(made.weight, layer().weight)


def test_a_set_with_a_gap_or_twice_the_same(tmp_path):
    one, two = save(tmp_path)
    for files, got in (
        ([one], "expected classes from 4, got no file"),
        ([two], "expected classes from 0, got classes from 4"),
        ([one, one, two], "expected classes from 4, got classes from 0"),
    ):
        with pytest.raises(ModelError, match=f"do not cover every class once: {got}"):
            layer().load_shards(files)
    with pytest.raises(ModelError, match="expected the files of a checkpoint, got none"):
        layer().load_shards([])


def test_files_of_different_steps(tmp_path):
    one, two = save(tmp_path / "a", 3)[0], save(tmp_path / "b", 4)[1]
    with pytest.raises(ModelError, match="differ in step: expected files of one checkpoint, got 3, 4"):
        layer().load_shards([one, two])


def test_a_layer_of_other_sizes(tmp_path):
    files = save(tmp_path)
    with pytest.raises(
        ModelError, match=r"do not fit the layer: .*'n_classes': 9.*then add or remove identities"
    ):
        layer(9).load_shards(files)
    with pytest.raises(ModelError, match="'head': 'ArcFace'"):
        layer(head="arcface").load_shards(files)


def test_state_of_another_optimiser_or_of_none(tmp_path):
    trained = layer()
    trained(torch.ones(2, 4), torch.tensor([0, 5])).backward()
    trained.rows.optimiser.step()
    files = [trained.save_shard(tmp_path, step=1)]
    with pytest.raises(ModelError, match=r"expected AdamW, got SGD; call layer.attach first, or load_shards"):
        layer(optimiser=torch.optim.SGD).load_shards(files)
    with pytest.raises(ModelError, match="expected AdamW, got none attached"):
        layer(optimiser=None).load_shards(files)
    fresh = layer(optimiser=None)
    fresh.load_shards(files, optimiser=False)
    assert torch.equal(fresh.weight, trained.weight)
    assert fresh.rows.state() == {}


def test_files_that_are_damaged_missing_or_something_else(tmp_path):
    one, two = save(tmp_path)
    two.write_bytes(two.read_bytes()[:50])
    with pytest.raises(ModelError, match=r"cannot read class centres .*centres-0000000004"):
        layer().load_shards([one, two])
    with pytest.raises(ModelError, match=r"cannot read class centres .*absent"):
        layer().load_shards([tmp_path / "absent.safetensors"])
    save_file({"weight": torch.zeros(7, 4)}, tmp_path / "other.safetensors")
    with pytest.raises(
        ModelError, match=r"other.safetensors holds no class centres; give files of save_shard"
    ):
        layer().load_shards([tmp_path / "other.safetensors"])


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("vnvision.losses.partial_fc.checkpoint.save_file", full)
    with pytest.raises(OSError, match="disk full"):
        layer().save_shard(tmp_path, step=1)
    assert list(tmp_path.iterdir()) == []
