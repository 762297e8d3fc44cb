"""
A small language model with AR, TAR and dropouts
================================================

Without a penalty the states of a two-layer LSTM run into saturation and it hardly learns; AR and
TAR keep them small, and the validation perplexity is half as large, 85 instead of 167.

After this page you can penalise the states of a recurrent network and their changes over time, and
use the dropouts made for sequences.
"""

# %%
# A text
# ------
# Python brings one: the help topics of ``pydoc``, some 65,000 words. The last tenth is for
# validation. The 1999 most frequent words of the training part make the vocabulary; every other
# word is ``<unk>``. A model reads the text in 20 streams side by side.

from collections import Counter
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import regularizers as rz

words = " ".join(topics[name] for name in sorted(topics)).split()[:60_000]
vocabulary = ["<unk>", *(word for word, _ in Counter(words[:54_000]).most_common(1999))]
number = {word: index for index, word in enumerate(vocabulary)}
ids = torch.tensor([number.get(word, 0) for word in words])
train = ids[:54_000].view(20, -1).T  # (time, streams)
validation = ids[54_000:].view(10, -1).T
print(f"{(validation == 0).float().mean():.0%} of the validation words are <unk>")

# %%
# A model with three dropouts
# ---------------------------
# Ordinary dropout draws a new mask at each step of time, which makes a recurrent network forget.
# These draw once for each forward. ``EmbeddingDropout`` drops whole words, ``LockedDropout`` the
# same units at all steps, and ``WeightDrop`` entries of the hidden-to-hidden matrices. The output
# layer shares its weights with the embedding. A rate of 0 turns a dropout off.


class LanguageModel(nn.Module):
    def __init__(self, scale):
        super().__init__()
        table, lstm = nn.Embedding(2000, 100), nn.LSTM(100, 100, num_layers=2)
        nn.init.uniform_(table.weight, -0.1, 0.1)
        self.embedding = rz.layers.EmbeddingDropout(table, 0.02 * scale)
        self.input_dropout = rz.layers.LockedDropout(0.25 * scale)
        self.rnn = rz.layers.WeightDrop(lstm, ["weight_hh_l0", "weight_hh_l1"], 0.2 * scale)
        self.output_dropout = rz.layers.LockedDropout(0.1 * scale)
        self.head = nn.Linear(100, 2000)
        self.head.weight = table.weight

    def forward(self, tokens, state=None):
        h, state = self.rnn(self.input_dropout(self.embedding(tokens)), state)
        return self.head(self.output_dropout(h)), h, state


# %%
# Three trainings
# ---------------
# Activation regularization (AR) is α·mean(h²) of the last layer's states after their dropout.
# Temporal activation regularization (TAR) is β·mean((h[t+1] − h[t])²) before it. The site of TAR is
# the LSTM itself, ``"rnn.module"``, since the wrapper's name is ``"rnn"``; the library knows which
# of its axes is time. α = 2 and β = 1 are the published strengths. Everything else is equal.

none = [rz.ar(0.0, where="output_dropout")]
both = [rz.ar(2.0, where="output_dropout"), rz.tar(1.0, where="rnn.module")]
trainings = {
    "plain": (0, none),
    "dropouts": (1, none),
    "dropouts, AR and TAR": (1, both),
}
epochs, window = 5, 35
starts = range(0, len(train) - window, window)
perplexities, norms, changes = {}, {}, {}
for name, (scale, rules) in trainings.items():
    torch.manual_seed(0)
    model = LanguageModel(scale)
    reg = rz.Regularization(model, rules)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1e-2, total_steps=epochs * len(starts), pct_start=0.15
    )
    perplexities[name], norms[name], changes[name] = [], [], []
    for _ in range(epochs):
        state = None
        model.train()
        for start in starts:
            logits, _, state = model(train[start : start + window], state)
            state = tuple(part.detach() for part in state)
            wanted = train[start + 1 : start + window + 1]
            loss = cross_entropy(logits.flatten(0, 1), wanted.flatten())
            optimizer.zero_grad()
            (loss + reg.penalty()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            logits, h, _ = model(validation[:-1])
        entropy = cross_entropy(logits.flatten(0, 1), validation[1:].flatten())
        perplexities[name].append(entropy.exp().item())
        norms[name].append(h.norm(dim=-1).mean().item())
        changes[name].append(h.diff(dim=0).norm(dim=-1).mean().item())
    print(
        f"{name:21} perplexity {perplexities[name][-1]:.1f}, "
        f"norm of a state {norms[name][-1]:.2f}, its change {changes[name][-1]:.2f}"
    )
print(reg.report())

# %%
# What happened
# -------------
# Perplexity is exp of the mean cross-entropy of a word; on unseen text, lower is better. A state of
# 100 units between −1 and 1 has a norm of 10 at most. After one epoch the states without a penalty
# are close to that, and they hardly change from word to word: the units are saturated and pass next
# to no gradient. AR keeps them away from their ends from the first step.

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
colours = {"plain": "0.6", "dropouts": "C1", "dropouts, AR and TAR": "C0"}
for name, colour in colours.items():
    left.plot(range(1, epochs + 1), perplexities[name], "o-", color=colour)
    place = {"plain": 12, "dropouts": -4}.get(name, 0)  # the first two end level
    left.text(epochs + 0.2, perplexities[name][-1] + place, name, color=colour, va="center")
    right.plot(range(1, epochs + 1), norms[name], "o-", color=colour)
last = [perplexities[name][-1] for name in ("dropouts", "dropouts, AR and TAR")]
left.set(xlabel="epoch", ylabel="validation perplexity", xlim=(0.8, 9.5), xticks=range(1, 6))
left.set_title("Perplexity: {:.0f} becomes {:.0f}".format(*last), fontsize=11)
right.axhline(10, color="k", ls=":", lw=1)
right.text(1, 9.4, "the largest possible", va="center")
right.set(xlabel="epoch", ylabel="norm of a state", ylim=(0, 10.5), xticks=range(1, 6))
right.set_title("AR keeps the states out of saturation", fontsize=11)
plt.show()

# %%
# The gain is that of a short training without saturation; it was there at half the learning rate
# too. A single LSTM layer did not saturate on this text, and AR gained it nothing: look at the
# states before choosing. See :doc:`/how-to/padding-windows` for padded sequences and
# :doc:`/how-to/dropout` for the layers.
