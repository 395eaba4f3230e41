"""What Partial FC must equal: torch's autograd in one process, and the optimisers' formulas row by row."""

from dataclasses import replace

import torch
import two_ranks

from vnvision.losses.margin import build_head, compare, margin_loss


def autograd(first, classes, optimiser, head, dtype=torch.float64):
    """The same training in one process: torch's autograd, and the optimisers' formulas row by row."""
    net, head = two_ranks.backbone(dtype), build_head(head)
    of_net = two_ranks.OPTIMISERS[optimiser](net.parameters())
    weight = first["weight"].clone()
    moments = [torch.zeros_like(weight), torch.zeros_like(weight)]
    k = head.sub_centres
    n, seen = len(weight) // k, []
    for step, chosen in enumerate(classes):
        rows = (chosen[:, None] * k + torch.arange(k)).flatten()
        centres = weight[rows].requires_grad_()
        x, target = two_ranks.batch(step, n, dtype)
        comparison = compare(net(x), centres, torch.searchsorted(chosen, target), sub_centres=k)
        loss = margin_loss(head, replace(comparison, n_classes=n))
        of_net.zero_grad()
        loss.backward()
        of_net.step()
        seen.append({"loss": loss.detach(), "centre_grad": centres.grad})
        if optimiser == "sgd":
            moments[0][rows] = 0.9 * moments[0][rows] + centres.grad + 1e-3 * weight[rows]
            weight[rows] -= 0.01 * moments[0][rows]
        else:
            moments[0][rows] = 0.9 * moments[0][rows] + 0.1 * centres.grad
            moments[1][rows] = 0.999 * moments[1][rows] + 0.001 * centres.grad**2
            mean, square = (
                moments[0][rows] / (1 - 0.9 ** (step + 1)),
                moments[1][rows] / (1 - 0.999 ** (step + 1)),
            )
            weight[rows] -= 0.01 * (0.05 * weight[rows] + mean / (square.sqrt() + 1e-8))
    names = ["momentum_buffer"] if optimiser == "sgd" else ["exp_avg", "exp_avg_sq"]
    last = {"weight": weight} | {f"state.{name}": moments[i] for i, name in enumerate(names)}
    return seen, last | {f"net.{key}": value for key, value in net.state_dict().items()}
