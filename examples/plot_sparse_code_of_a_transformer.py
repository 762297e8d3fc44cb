"""
A sparse code of a transformer's activations
============================================

Eight of 256 units describe what a small language model holds at each word, with nine tenths of its
variance, and single units can be read: they fire at one word, or at words of one role.

The *residual stream* is the vector that a transformer passes from block to block, here 64 numbers
for each word. None of the numbers means anything by itself. A *sparse autoencoder* writes the
vector as a sum of few directions of a large dictionary; each direction is a unit of its code.

``pip install 'regularizers[sae]'`` installs what the training needs.
"""

# %%
# A language model in seconds
# ---------------------------
# The text is the documentation of Python's language, which the standard library holds, without the
# lines of tables and runs of one mark. Tokens are its 1000 most frequent words and marks; all
# others are one token. Windows have 32 of them.

import re
from collections import Counter
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import torch
from torch import nn

import regularizers as rz

torch.set_num_threads(1)
torch.manual_seed(1)
paragraphs = dict.fromkeys("\n\n".join(topics.values()).lower().split("\n\n"))  # each one once
prose = re.sub(r"[+|]|([^\w\s])(\s*\1)+", " ", " ".join(paragraphs))
words = re.findall(r"[a-z]+|[0-9]+|[^\w\s]", prose)
numbers = {word: number for number, (word, _) in enumerate(Counter(words).most_common(1000))}
words = words[: len(words) // 32 * 32]
tokens = torch.tensor([numbers.get(word, 1000) for word in words]).view(-1, 32)
order = torch.randperm(len(tokens))
tokens, texts = tokens[order], [[" " + w for w in words[32 * i : 32 * i + 32]] for i in order]
split = len(tokens) * 3 // 4
batches, unseen = tokens[:split].split(50), tokens[split:].split(50)


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(1001, 64)
        block = nn.TransformerEncoderLayer(64, 4, 128, 0.0, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Linear(64, 1001)

    def forward(self, tokens):
        causal = nn.Transformer.generate_square_subsequent_mask(32)
        return self.head(self.body(self.words(tokens), mask=causal, is_causal=True))


def loss(model, tokens):
    logits = model(tokens)[:, :-1]
    return nn.functional.cross_entropy(logits.mT, tokens[:, 1:], reduction="none")


model = LanguageModel()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for batch in [*batches] * 4:
    optimizer.zero_grad()
    loss(model, batch).mean().backward()
    optimizer.step()

# %%
# The code
# --------
# ``rz.sae.activations`` runs the model and gives the outputs of one module, word by word. The
# autoencoder is told how many units are to be active.

site = "body.layers.1"
sae = rz.sae.SparseAutoencoder(features=64, units=256, active=8)
stream = rz.sae.activations(model, site, batches, batch_size=1024)
history = rz.sae.train(sae, stream, steps=200, learning_rate=1e-2)

# %%
# How good it is is measured on windows that neither training has seen: active units, explained
# variance, and how much of the model's loss is kept if it reads the reconstruction instead.

rows = torch.stack([*rz.sae.activations(model, site, unseen, buffer=0, batch_size=32)])
evaluation = rz.sae.evaluate(sae, rows)
recovered = rz.sae.cross_entropy_recovered(model, site, sae, unseen, loss)
print(f"active units        {evaluation.l0:.1f} of {evaluation.units}")
print(f"explained variance  {evaluation.explained_variance:.3f}")
print(f"loss recovered      {recovered.recovered_from_mean:.3f}")
print(f"silent units        {evaluation.dead}")

# %%
# Reading units
# -------------
# A unit is read by the places where it is most active. We look for one that answers to verbs such
# as *must*, and one that answers to forms of *be*. Each line is the strongest place of one word.

code, at = sae.encode(rows), tokens[split:]
units = []
for group in (["must", "should"], ["is", "are", "be"]):
    answers = torch.stack([code[at == numbers[word]].mean(0) for word in group])
    units.append((answers.amin(0) - code.mean((0, 1))).argmax().item())
units += [0, 3]
top = rz.sae.top_samples(sae, rows, units=units, count=300, tokens=texts[split:], around=3)
places = []
for unit, contexts in zip(units, top.contexts, strict=True):
    often = [word for word, _ in Counter(c.token for c in contexts).most_common(4)]
    places.append([next(c for c in contexts if c.token == word) for word in often])
    print(f"unit {unit}", *places[-1], sep="\n  ")

# %%
# The picture
# -----------
# *Density* is the share of words at which a unit fires.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(8, 3.2), layout="constrained", width_ratios=[1, 1.7]
)
density = evaluation.density[evaluation.density > 0]
left.hist(density.log10().numpy(), 24, color="C0")
left.set(xlabel="log₁₀ of a unit's density", ylabel="units")
left.set_title(f"{evaluation.l0:.0f} of 256 explain {evaluation.explained_variance:.0%}")
right.set_axis_off()
right.set(title=f"Where units {units[0]} and {units[1]} fire", xlim=(0, 1), ylim=(9, -1))
for number, c in enumerate(places[0] + places[1]):
    row = number + (number >= len(places[0]))  # an empty row between the two units
    right.text(0.42, row, "".join(c.tokens[: c.peak]), ha="right", color="0.4")
    right.text(0.5, row, c.token.strip(), ha="center", color="C1", weight="bold")
    right.text(0.58, row, "".join(c.tokens[c.peak + 1 :]), color="0.4")
plt.show()

# %%
# See :doc:`/how-to/sparse-codes`.
