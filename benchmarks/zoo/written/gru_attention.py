"""GRU attention classifier."""

import torch
from torch import nn


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(500, 32), nn.GRU(32, 24, batch_first=True, bidirectional=True)
        self.score, self.last = nn.Linear(48, 1), nn.Linear(48, 4)

    def forward(self, input_ids, attention_mask):
        found, _ = self.rnn(self.embed(input_ids))
        scores = self.score(found).squeeze(-1).masked_fill(attention_mask == 0, -1e9)
        return self.last((scores.softmax(1).unsqueeze(-1) * found).sum(1))


def network():
    return Attentive()
