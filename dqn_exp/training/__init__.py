"""The training loop of a population and its assembly from configs."""
