"""The DQN equation, its variants, and the engines that compute it."""
