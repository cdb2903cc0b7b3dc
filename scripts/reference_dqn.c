/* An independent DQN on CartPole with 200 frames, as in experiment=book, with torch's initialization.
 *
 *     gcc -O3 -march=native -ffast-math scripts/reference_dqn.c -o reference_dqn -lm
 *     ./reference_dqn FIRST_SEED NUM_SEEDS
 *
 * It prints one line per seed: the seed and the mean return of episodes 451 to 500. It shares no
 * code, no random numbers and no floating-point order with the package, so that only the
 * distribution over seeds can be compared.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEATURES = 4, HIDDEN = 128, ACTIONS = 2, CAPACITY = 10000, BATCH = 64, STARTS = 500 };
enum { PERIOD = 10, EPISODES = 500, MAX_STEPS = 200, COUNTED = 50 };
static const float GAMMA = 0.98f, EPSILON = 0.01f, RATE = 2e-3f;

typedef struct {
  float w1[FEATURES][HIDDEN], b1[HIDDEN], w2[ACTIONS][HIDDEN], b2[ACTIONS];
} Network;
enum { PARAMETERS = sizeof(Network) / sizeof(float) };

typedef struct {
  float observation[FEATURES], next[FEATURES], reward, discount;
  int action;
} Transition;

static uint64_t state;

static uint64_t next_random(void) { /* splitmix64 */
  uint64_t z = (state += 0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

static double uniform(double low, double high) {
  return low + (high - low) * (double)(next_random() >> 11) / 9007199254740992.0;
}

static void init_uniform(float *values, int count, double bound) {
  for (int i = 0; i < count; i++) values[i] = (float)uniform(-bound, bound);
}

static void forward(const Network *net, const float *x, float *hidden, float *q) {
  for (int h = 0; h < HIDDEN; h++) {
    float z = net->b1[h] + net->w1[0][h] * x[0] + net->w1[1][h] * x[1];
    z += net->w1[2][h] * x[2] + net->w1[3][h] * x[3];
    hidden[h] = z > 0 ? z : 0;
  }
  for (int a = 0; a < ACTIONS; a++) {
    q[a] = net->b2[a];
    for (int h = 0; h < HIDDEN; h++) q[a] += net->w2[a][h] * hidden[h];
  }
}

/* Adds the gradient of the mean squared error of one transition. */
static void backward(const Network *online, const Network *target, const Transition *t,
                     Network *gradient) {
  float hidden[HIDDEN], q[ACTIONS], next[ACTIONS];
  forward(target, t->next, hidden, next);
  float wanted = t->reward + t->discount * fmaxf(next[0], next[1]);
  forward(online, t->observation, hidden, q);
  float delta = 2 * (q[t->action] - wanted) / BATCH;
  gradient->b2[t->action] += delta;
  for (int h = 0; h < HIDDEN; h++) {
    gradient->w2[t->action][h] += delta * hidden[h];
    float slope = hidden[h] > 0 ? delta * online->w2[t->action][h] : 0;
    gradient->b1[h] += slope;
    for (int f = 0; f < FEATURES; f++) gradient->w1[f][h] += slope * t->observation[f];
  }
}

static void adam(float *values, const float *gradient, float *mean, float *square, long count) {
  float c1 = 1 - powf(0.9f, count), c2 = 1 - powf(0.999f, count);
  for (int i = 0; i < PARAMETERS; i++) {
    mean[i] = 0.9f * mean[i] + 0.1f * gradient[i];
    square[i] = 0.999f * square[i] + 0.001f * gradient[i] * gradient[i];
    values[i] -= RATE * (mean[i] / c1) / (sqrtf(square[i] / c2) + 1e-8f);
  }
}

/* The equations of Gymnasium's CartPole; returns whether the pole has fallen. */
static int step_cart(double *s, int action) {
  double force = action ? 10 : -10, cosine = cos(s[2]), sine = sin(s[2]);
  double temporary = (force + 0.05 * s[3] * s[3] * sine) / 1.1;
  double angular = (9.8 * sine - cosine * temporary) / (0.5 * (4.0 / 3 - 0.1 * cosine * cosine / 1.1));
  double linear = temporary - 0.05 * angular * cosine / 1.1;
  s[0] += 0.02 * s[1];
  s[1] += 0.02 * linear;
  s[2] += 0.02 * s[3];
  s[3] += 0.02 * angular;
  return fabs(s[0]) > 2.4 || fabs(s[2]) > 12 * 2 * M_PI / 360;
}

static double train(uint64_t seed) {
  static Transition buffer[CAPACITY];
  static float mean[PARAMETERS], square[PARAMETERS];
  Network online, target, gradient;
  state = seed * 0x2545F4914F6CDD1Dull + 1;
  memset(mean, 0, sizeof mean);
  memset(square, 0, sizeof square);
  init_uniform(&online.w1[0][0], HIDDEN * FEATURES + HIDDEN, 1 / sqrt(FEATURES));
  init_uniform(&online.w2[0][0], ACTIONS * HIDDEN + ACTIONS, 1 / sqrt(HIDDEN));
  target = online;
  long stored = 0, updates = 0;
  double total = 0;
  for (int episode = 0; episode < EPISODES; episode++) {
    double s[FEATURES];
    for (int f = 0; f < FEATURES; f++) s[f] = uniform(-0.05, 0.05);
    int length = 0, ended = 0;
    while (!ended) {
      Transition *t = &buffer[stored % CAPACITY];
      float hidden[HIDDEN], q[ACTIONS];
      for (int f = 0; f < FEATURES; f++) t->observation[f] = (float)s[f];
      forward(&online, t->observation, hidden, q);
      t->action = q[1] > q[0];
      if (uniform(0, 1) < EPSILON) t->action = (int)(next_random() % ACTIONS);
      ended = step_cart(s, t->action);
      ended |= ++length >= MAX_STEPS; /* The book treats the time limit as termination. */
      for (int f = 0; f < FEATURES; f++) t->next[f] = (float)s[f];
      t->reward = 1;
      t->discount = ended ? 0 : GAMMA;
      stored++;
      long size = stored < CAPACITY ? stored : CAPACITY;
      if (size <= STARTS) continue;
      memset(&gradient, 0, sizeof gradient);
      for (int b = 0; b < BATCH; b++)
        backward(&online, &target, &buffer[next_random() % size], &gradient);
      updates++;
      adam((float *)&online, (float *)&gradient, mean, square, updates);
      if (updates % PERIOD == 0) target = online;
    }
    if (episode >= EPISODES - COUNTED) total += length;
  }
  return total / COUNTED;
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "Usage: %s FIRST_SEED NUM_SEEDS\n", arguments[0]);
    return 2;
  }
  long first = atol(arguments[1]), number = atol(arguments[2]);
  for (long seed = first; seed < first + number; seed++) {
    printf("%ld %.2f\n", seed, train((uint64_t)seed));
    fflush(stdout);
  }
  return 0;
}
