"""What stands between the browsers and Gradio: who may come in, how much, and who may have which file back."""
