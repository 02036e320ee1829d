"""Wrappers for networks that do not go from tensors to tensors."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from edgefn.errors import BuildError
from edgefn.spec import TensorSpec
from tests.edgefn.compile.networks import onnx_of, session


def detections() -> Any:
    """A detector with the interface of torchvision's: pictures in a list, and a dict for each with what is found.

    Boxes are the cells that are brighter than the picture's mean, so their number differs from picture to picture.
    """
    import torch

    from edgefn import adapters

    class Detections(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = torch.nn.Conv2d(3, 1, 4, 4)

        def forward(self, images: list[torch.Tensor], targets: Any = None) -> list[dict[str, torch.Tensor]]:
            assert isinstance(images, list)
            return [self.found(image) for image in images]

        def found(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            scores = self.features(image[None]).flatten()
            (places,) = torch.nonzero(scores > scores.mean(), as_tuple=True)
            boxes = torch.stack([places, places, places + 4, places + 4], 1).float()
            return {"boxes": boxes, "labels": places % 2, "scores": scores[places], "masks": boxes}

    torch.manual_seed(0)
    return adapters.detector(Detections())


@pytest.mark.needs_torch
@pytest.mark.timeout(300)
@pytest.mark.parametrize("shape", [(1, 3, 16, 20), (3, 16, 20)])
def test_a_detector_gives_what_it_finds(shape: tuple[int, ...]) -> None:
    """Boxes, labels and scores of each picture, as many as there are, from the artifact as from the detector itself."""
    from edgefn.compile.capture.capture import capture

    eager = session(detections, {"image": TensorSpec("float32", shape)})
    captured = capture(eager)
    artifact = onnx_of(captured)
    counts = set()
    for seed in range(4):
        image = np.random.default_rng(seed).random(shape, np.float32)
        found: Any = artifact.run({"image": image})
        inner: Any = eager.network.network
        (wanted,) = inner([_tensor(image)])
        assert list(found) == ["boxes", "labels", "scores"]
        for name, array in found.items():
            np.testing.assert_allclose(array, wanted[name].detach().numpy(), rtol=1e-5, atol=1e-6)
        counts.add(len(found["boxes"]))
    assert len(counts) > 1


def rcnn() -> Any:
    """torchvision's Mask R-CNN, small: two levels, a proposal network, boxes and masks of two classes."""
    import torch
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
    from torchvision.models.detection.rpn import AnchorGenerator
    from torchvision.ops import MultiScaleRoIAlign

    class Levels(torch.nn.Module):
        out_channels = 8

        def __init__(self) -> None:
            super().__init__()
            self.fine, self.coarse = torch.nn.Conv2d(3, 8, 8, 8), torch.nn.Conv2d(8, 8, 2, 2)

        def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
            fine = self.fine(pixels)
            return {"0": fine, "1": self.coarse(fine.relu())}

    torch.manual_seed(0)
    network = FasterRCNN(
        Levels(),
        num_classes=None,
        min_size=64,
        max_size=96,
        rpn_anchor_generator=AnchorGenerator(((16,), (32,)), ((0.5, 1.0, 2.0),) * 2),
        box_roi_pool=MultiScaleRoIAlign(["0", "1"], 4, 2),
        box_head=TwoMLPHead(8 * 4 * 4, 16),
        box_predictor=FastRCNNPredictor(16, 3),
        box_score_thresh=0.5,
        box_detections_per_img=20,
    )
    heads: Any = network.roi_heads
    scores = heads.box_predictor.cls_score
    torch.nn.init.normal_(scores.weight, std=3.0)
    scores.bias.data = torch.tensor([3.0, 0.0, 0.0])  # no box of what is plain
    heads.mask_roi_pool = MultiScaleRoIAlign(["0", "1"], 7, 2)
    heads.mask_head, heads.mask_predictor = MaskRCNNHeads(8, (8,), 1), MaskRCNNPredictor(8, 8, 3)
    return network.eval()


@pytest.mark.needs_torch
@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_detector_of_torchvision_is_built_as_it_is() -> None:
    """What the artifact finds is what torchvision finds unwrapped: in every picture, and in one where it is nothing."""
    from edgefn import adapters
    from edgefn.compile.capture.capture import capture

    plain = rcnn()
    shape = (3, 64, 80)
    wrapped = session(
        lambda: adapters.detector(plain, (*adapters.FIELDS, "masks")), {"image": TensorSpec("float32", shape)}
    )
    artifact = onnx_of(capture(wrapped))
    counts = []
    for seed in range(8):
        image = _picture(shape, seed)
        (wanted,) = plain([_tensor(image)])
        found: Any = artifact.run({"image": image})
        assert {name: array.shape for name, array in found.items()} == {
            name: tuple(tensor.shape) for name, tensor in wanted.items()
        }
        for name, array in found.items():
            np.testing.assert_allclose(array, wanted[name].detach().numpy(), rtol=1e-3, atol=1e-3)
        counts.append(len(found["boxes"]))
    assert min(counts) == 0
    assert max(counts) > 3


@pytest.mark.needs_torch
def test_heads_of_fields_that_nobody_asks_for_do_not_run() -> None:
    """The mask head, unless for masks; the network itself is as before."""
    from edgefn import adapters

    plain = rcnn()
    runs: list[int] = []
    plain.roi_heads.mask_head.register_forward_hook(lambda *_: runs.append(1))
    image = _tensor(_picture((3, 64, 80), 1))
    (wanted,) = plain([image])
    assert len(runs) == 1
    found = adapters.detector(plain).eval()(image)
    assert len(runs) == 1
    assert list(found) == list(adapters.FIELDS)
    assert all((found[name] == wanted[name]).all() for name in found)
    masks = adapters.detector(plain, fields=("masks",)).eval()(image)["masks"]
    assert len(runs) == 2
    np.testing.assert_allclose(masks.detach(), wanted["masks"].detach(), atol=1e-6)


@pytest.mark.needs_torch
def test_what_a_detector_cannot_give_is_refused_with_the_way_out() -> None:
    """Keypoints when it is wrapped, before anything runs; a field that the network does not find when it has run."""
    import torch

    from edgefn import adapters

    with pytest.raises(BuildError, match=r"'keypoints' is not supported: .*a second network that takes the crop"):
        adapters.detector(rcnn(), fields=("boxes", "keypoints"))
    with pytest.raises(BuildError, match="the network finds boxes, labels, scores, masks but no 'depth'"):
        adapters.detector(rcnn(), fields=("boxes", "depth", "masks")).eval()(torch.zeros(3, 64, 80))


def _picture(shape: tuple[int, ...], seed: int) -> Any:
    """Random blocks; black for 0."""
    blocks = np.random.default_rng(seed).random((3, shape[1] // 8, shape[2] // 8), np.float32)
    return np.kron(blocks, np.ones((1, 8, 8), np.float32)) * (seed > 0)


def _tensor(image: Any) -> Any:
    import torch

    return torch.from_numpy(image.reshape(image.shape[-3:]))


def test_adapters_are_light() -> None:
    """Importing them imports neither PyTorch nor NumPy: a handler's module may do so at its top."""
    code = "import sys, edgefn.adapters; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False False\n"
