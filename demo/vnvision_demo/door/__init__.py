"""What stands between the browsers and Gradio: who may come in, and who may have which file back."""
