"""The stages that make the bundled static model; `scripts/train_static_model.py` runs them."""
