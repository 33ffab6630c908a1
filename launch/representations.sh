#!/usr/bin/env bash
# VAE latents against the data space at about equal total training time (docs/log.md holds the figures).
# The VAE's steps are its share of the time; the denoiser of its latents gets what is left.
#   launch/representations.sh dataset=folder dataset.path=FOLDER
set -euo pipefail
python="${PYTHON:-python}"
"$python" -m tabgraphsyn.launch experiment=fidelity campaign=representations-data_space autoencoder=data_space \
    training.diffusion.steps=1500 "$@"
"$python" -m tabgraphsyn.launch experiment=fidelity campaign=representations-vae autoencoder=vae \
    training.autoencoder.steps=2000 training.diffusion.steps=900 "$@"
