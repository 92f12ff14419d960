"""What Newstune promises about speed and accuracy, measured."""
