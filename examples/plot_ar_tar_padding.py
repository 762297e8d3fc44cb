"""
AR and TAR on a recurrent network, with padding
===============================================

AR and TAR halve the states of an LSTM and their steps from word to word, and padding changes
neither: packed, or with a mask, the penalty is the same to the last digits of float32.

*Activation regularization* (AR) penalises the size of states, α · mean(h²). *Temporal activation
regularization* (TAR) penalises their steps, β · mean((h[t+1] − h[t])²). Sentences differ in length,
so short ones are padded, and a penalty that counts padding is wrong without a sign of it.
"""

# %%
# Sentences
# ---------
# From the documentation of Python's language, which the standard library holds. Lines of tables and
# runs of one mark, such as those below a heading, are left out.

import re
from collections import Counter
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence, pad_sequence

import regularizers as rz

torch.set_num_threads(1)
torch.manual_seed(0)
paragraphs = dict.fromkeys("\n\n".join(topics.values()).lower().split("\n\n"))  # each one once
prose = [re.sub(r"[+|]|([^\w\s])(\s*\1)+", " ", paragraph) for paragraph in paragraphs]
texts = [re.findall(r"[a-z]+|[0-9]+|[^\w\s]", text) for p in prose for text in p.split(". ")]
texts = [text for text in texts if 5 <= len(text) <= 40]
counts = Counter(word for text in texts for word in text)
numbers = {word: number for number, (word, _) in enumerate(counts.most_common(1000))}
sentences = [torch.tensor([numbers.get(word, 1000) for word in text]) for text in texts]
order = torch.randperm(len(sentences)).tolist()
known = [[sentences[i] for i in order[n : n + 50]] for n in range(0, 1200, 50)]
unseen = [sentences[i] for i in order[1200:2200]]

# %%
# The network
# -----------
# It predicts each next word. A ``PackedSequence`` holds the words without any padding, and a rule
# for the layer that returns one needs nothing more.


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(1001, 64)
        self.rnn = nn.LSTM(64, 64, batch_first=True)
        self.head = nn.Linear(64, 1001)

    def forward(self, sentences):
        words = pack_sequence([s[:-1] for s in sentences], enforce_sorted=False)
        following = pack_sequence([s[1:] for s in sentences], enforce_sorted=False)
        states, _ = self.rnn(words._replace(data=self.words(words.data)))
        return nn.functional.cross_entropy(self.head(states.data), following.data), states


# %%
# Without and with
# ----------------
# The strengths are the published ones, 2 and 1. Perplexity is of unseen sentences; lower is better.
# On the texts that we measured the gain is AR's; TAR alone does not help.

steps = {}
for name, alpha, beta in (("neither", 0.0, 0.0), ("AR, TAR", 2.0, 1.0)):
    torch.manual_seed(0)
    model = LanguageModel()
    reg = rz.Regularization(model, [rz.ar(alpha, where="rnn"), rz.tar(beta, where="rnn")])
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    for batch in known * 10:
        loss, _ = model(batch)
        optimizer.zero_grad()
        (loss + reg.penalty()).backward()
        optimizer.step()
    reg.detach()
    with torch.no_grad():
        loss, states = model(unseen)
    padded, lengths = pad_packed_sequence(states, batch_first=True)
    rows = [h[:n] for h, n in zip(padded, lengths, strict=True)]
    sizes = torch.cat(rows).square().mean(1).sqrt()
    steps[name] = torch.cat([row.diff(dim=0) for row in rows]).square().mean(1).sqrt()
    print(f"{name}: perplexity {loss.exp():.1f}, root mean square of")
    print(f"  states {sizes.mean():.2f}, of steps {steps[name].mean():.2f}")

# %%
# Padding
# -------
# Fifty sentences in four forms. In a padded tensor nothing says what is padding, so a mask says it:
# a boolean tensor, True where a word stands. It reaches the layer without going through the model.
# Without it the states on padding count, and the penalty is another.

batch = unseen[:50]
lengths = torch.tensor([len(sentence) - 1 for sentence in batch])
reg = rz.Regularization(model, [rz.ar(2.0, where="rnn"), rz.tar(1.0, where="rnn")])
values = {}
model(batch)
values["packed"] = reg.penalty().item()
for name, length in (("mask, 40", 40), ("mask, 200", 200), ("no mask", 40)):
    padded = pad_sequence([s[:-1] for s in batch], True)
    padded = nn.functional.pad(padded, (0, length - lengths.max()))
    mask = (torch.arange(length) < lengths[:, None]) | (name == "no mask")
    with reg.mask(mask, where="rnn"):
        model.rnn(model.words(padded))
    values[name] = reg.penalty().item()
for name, value in values.items():
    print(f"{name:10} {value:.6f}, off by {value - values['packed']:+.0e}")

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for name, colour in (("neither", "C0"), ("AR, TAR", "C1")):
    left.hist(steps[name].numpy(), 50, range=(0, 1), color=colour, alpha=0.8)
left.text(0.6, 0.75, "neither", color="C0", transform=left.transAxes)
left.text(0.05, 0.9, "AR, TAR", color="C1", transform=left.transAxes)
left.set(xlabel="step of the state, root mean square", yticks=[])
left.set_title(f"Steps: {steps['neither'].mean():.2f} → {steps['AR, TAR'].mean():.2f}")
right.bar(list(values), list(values.values()), color=["C1", "C1", "C1", "0.6"])
right.bar_label(right.containers[0], fmt="%.4f")
right.set(ylabel="penalty", ylim=(0, 0.4))
right.set_title("Padding counts only without a mask")
plt.show()

# %%
# See :doc:`/how-to/padding-windows`.
