"""What the body does: heart, pulse, skin, breath and temperature around a moment."""
