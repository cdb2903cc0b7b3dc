/* A lower bound of the time that DQN on CartPole takes on this machine's processor.
 *
 * It does the work that scripts/benchmark.py describes, with sizes that are known when it is
 * compiled, and nothing else: no log, evaluation, checkpoint or other setting. Each thread trains
 * run after run.
 *
 *     gcc -O3 -march=native -ffast-math -fno-finite-math-only benchmark_limit.c -o limit -lm -lpthread
 *     ./limit RUNS STEPS THREADS
 */
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEATURES = 4, ACTIONS = 2, HIDDEN = 128, BATCH = 64, CAPACITY = 10000, STARTS = 500 };
enum { LANES = 16, PARTS = HIDDEN / LANES, TOGETHER = 4, AT_ONCE = 2, PERIOD = 10, LIMIT = 500 };
static const float GAMMA = 0.98f, EPSILON = 0.01f, RATE = 2e-3f;

typedef float vector __attribute__((vector_size(4 * LANES)));
typedef int32_t mask __attribute__((vector_size(4 * LANES)));

typedef struct {
    vector first[FEATURES][PARTS], bias[PARTS], last[ACTIONS][PARTS], last_bias;
} network;

enum { VECTORS = sizeof(network) / sizeof(vector) };

typedef struct {
    float before[FEATURES], after[FEATURES], reward, discount;
    int action, padding[5];
} transition;

typedef struct {
    network online, target, mean, square, gradient;
    transition *buffer;
    uint64_t random;
    double state[FEATURES];
    int length, updates;
    double beta1_power, beta2_power;
} run;

static uint32_t draw(run *r) { /* splitmix64 */
    uint64_t z = (r->random += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) >> 32;
}

static double unit(run *r) { return draw(r) * 0x1p-32; }

static float total(vector v) {
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += v[lane];
    return sum;
}

static vector positive_part(vector v) { return (vector)((mask)v & (v > 0)); }

/* The outputs for some observations, and their hidden units if there is room for them. */
static inline __attribute__((always_inline)) void forward(
    int count, const network *n, const float *const *observation, float (*output)[ACTIONS],
    vector (*units)[PARTS]) {
    vector sums[TOGETHER][ACTIONS] = {0};
    for (int part = 0; part < PARTS; part++)
        for (int k = 0; k < count; k++) {
            vector unit = n->bias[part];
            for (int i = 0; i < FEATURES; i++) unit += observation[k][i] * n->first[i][part];
            unit = positive_part(unit);
            if (units) units[k][part] = unit;
            for (int a = 0; a < ACTIONS; a++) sums[k][a] += unit * n->last[a][part];
        }
    for (int k = 0; k < count; k++)
        for (int a = 0; a < ACTIONS; a++) output[k][a] = total(sums[k][a]) + n->last_bias[a];
}

static void backward(run *r, transition *const *batch, vector (*units)[PARTS],
                     const float (*error)[ACTIONS]) {
    network *g = &r->gradient;
    g->last_bias = (vector){0};
    for (int b = 0; b < BATCH; b++)
        for (int a = 0; a < ACTIONS; a++) g->last_bias[a] += error[b][a];
    for (int begin = 0; begin < PARTS; begin += AT_ONCE) {
        vector first[AT_ONCE][FEATURES] = {0}, bias[AT_ONCE] = {0}, last[AT_ONCE][ACTIONS] = {0};
        for (int b = 0; b < BATCH; b++)
            for (int p = 0; p < AT_ONCE; p++) {
                vector unit = units[b][begin + p], delta = {0};
                for (int a = 0; a < ACTIONS; a++) {
                    last[p][a] += error[b][a] * unit;
                    delta += error[b][a] * r->online.last[a][begin + p];
                }
                delta = (vector)((mask)delta & (unit > 0));
                bias[p] += delta;
                for (int i = 0; i < FEATURES; i++) first[p][i] += batch[b]->before[i] * delta;
            }
        for (int p = 0; p < AT_ONCE; p++) {
            for (int i = 0; i < FEATURES; i++) g->first[i][begin + p] = first[p][i];
            for (int a = 0; a < ACTIONS; a++) g->last[a][begin + p] = last[p][a];
            g->bias[begin + p] = bias[p];
        }
    }
}

static void step_adam(run *r) {
    vector *weight = (vector *)&r->online, *mean = (vector *)&r->mean;
    vector *square = (vector *)&r->square, *gradient = (vector *)&r->gradient;
    r->beta1_power *= 0.9, r->beta2_power *= 0.999;
    float rate = RATE / (1 - r->beta1_power), scale = 1 / sqrt(1 - r->beta2_power);
    for (int i = 0; i < VECTORS; i++) {
        vector root;
        mean[i] += 0.1f * (gradient[i] - mean[i]);
        square[i] += 0.001f * (gradient[i] * gradient[i] - square[i]);
        for (int lane = 0; lane < LANES; lane++) root[lane] = sqrtf(square[i][lane]);
        weight[i] -= rate * mean[i] / (root * scale + 1e-8f);
    }
}

static void learn(run *r, int size) {
    static _Thread_local vector units[BATCH][PARTS];
    transition *batch[BATCH];
    float next[BATCH][ACTIONS], now[BATCH][ACTIONS], error[BATCH][ACTIONS] = {0};
    for (int b = 0; b < BATCH; b++) {
        batch[b] = &r->buffer[(uint64_t)draw(r) * size >> 32];
        __builtin_prefetch(batch[b]);
    }
    for (int b = 0; b < BATCH; b += TOGETHER) {
        const float *after[TOGETHER], *before[TOGETHER];
        for (int k = 0; k < TOGETHER; k++) {
            after[k] = batch[b + k]->after, before[k] = batch[b + k]->before;
        }
        forward(TOGETHER, &r->target, after, next + b, NULL);
        forward(TOGETHER, &r->online, before, now + b, units + b);
    }
    for (int b = 0; b < BATCH; b++) {
        float best = next[b][0] > next[b][1] ? next[b][0] : next[b][1];
        float target = batch[b]->reward + batch[b]->discount * best;
        error[b][batch[b]->action] = (now[b][batch[b]->action] - target) * (2.0f / BATCH);
    }
    backward(r, batch, units, error);
    step_adam(r);
    if (++r->updates % PERIOD == 0) r->target = r->online;
}

static void begin_episode(run *r) {
    for (int i = 0; i < FEATURES; i++) r->state[i] = unit(r) * 0.1 - 0.05;
    r->length = 0;
}

static int step_cart_pole(run *r, int action) {
    double *s = r->state, cosine = cos(s[2]), sine = sin(s[2]);
    double push = ((action ? 10 : -10) + 0.05 * s[3] * s[3] * sine) / 1.1;
    double turn = (9.8 * sine - cosine * push) / (0.5 * (4.0 / 3 - 0.1 * cosine * cosine / 1.1));
    double pull = push - 0.05 * turn * cosine / 1.1;
    s[0] += 0.02 * s[1], s[1] += 0.02 * pull, s[2] += 0.02 * s[3], s[3] += 0.02 * turn;
    return fabs(s[0]) > 2.4 || fabs(s[2]) > 12 * 2 * M_PI / 360;
}

static int act(run *r, const float *observation) {
    float output[1][ACTIONS];
    if (unit(r) < EPSILON) return draw(r) >> 31;
    forward(1, &r->online, &observation, output, NULL);
    return output[0][1] > output[0][0];
}

static void train(run *r, int num_steps) {
    begin_episode(r);
    for (int step = 0; step < num_steps; step++) {
        transition *t = &r->buffer[step % CAPACITY];
        for (int i = 0; i < FEATURES; i++) t->before[i] = r->state[i];
        t->action = act(r, t->before), t->reward = 1;
        int has_ended = step_cart_pole(r, t->action);
        for (int i = 0; i < FEATURES; i++) t->after[i] = r->state[i];
        t->discount = has_ended ? 0 : GAMMA;
        if (has_ended || ++r->length >= LIMIT) begin_episode(r);
        if (step >= STARTS) learn(r, step < CAPACITY ? step + 1 : CAPACITY);
    }
}

static run *make_run(uint64_t seed) {
    run *r = aligned_alloc(sizeof(vector), sizeof *r);
    memset(r, 0, sizeof *r);
    r->random = seed * 7919 + 1, r->beta1_power = r->beta2_power = 1;
    r->buffer = aligned_alloc(64, sizeof(transition) * CAPACITY);
    memset(r->buffer, 0, sizeof(transition) * CAPACITY);
    for (int part = 0; part < PARTS; part++)
        for (int lane = 0; lane < LANES; lane++) {
            for (int i = 0; i < FEATURES; i++) r->online.first[i][part][lane] = unit(r) - 0.5;
            r->online.bias[part][lane] = unit(r) - 0.5;
            for (int a = 0; a < ACTIONS; a++)
                r->online.last[a][part][lane] = (2 * unit(r) - 1) / sqrt(HIDDEN);
        }
    r->target = r->online;
    return r;
}

static int num_runs, num_steps, num_threads;

static void *work(void *thread) {
    for (int i = (intptr_t)thread; i < num_runs; i += num_threads) {
        run *r = make_run(i);
        train(r, num_steps);
        free(r->buffer), free(r);
    }
    return NULL;
}

int main(int count, char **values) {
    if (count != 4) return fprintf(stderr, "usage: limit RUNS STEPS THREADS\n"), 2;
    num_runs = atoi(values[1]), num_steps = atoi(values[2]), num_threads = atoi(values[3]);
    pthread_t threads[num_threads];
    for (intptr_t i = 0; i < num_threads; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < num_threads; i++) pthread_join(threads[i], NULL);
    return 0;
}
