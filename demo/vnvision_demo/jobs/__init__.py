"""What the tabs do behind their buttons: plain functions from files to answers. No Gradio, no torch."""
