// What this processor can do at most: the draws and steps of benchmarks/montecarlo.py written by hand on its widest
// vectors. Prints "stream model nanoseconds" a path-step (and asset), the least of nine rounds, one thread.
//     gcc -O3 -march=native -ffast-math limit.c -o limit -lm && ./limit
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#ifdef __AVX512F__
#define BYTES 64
#define SQRT(x) ((V)_mm512_sqrt_ps((__m512)(x)))
#define WIDE(a, m) ((D)_mm512_mul_epu32((__m512i)(a), (__m512i)(m)))
#define GATHER(table, i) ((V)_mm512_i32gather_ps((__m512i)(i), table, 4))
#define MERGE(e, o) ((U)_mm512_mask_blend_epi32(0xAAAA, (__m512i)(e), (__m512i)(o)))
#else
#define BYTES 32
#define SQRT(x) ((V)_mm256_sqrt_ps((__m256)(x)))
#define WIDE(a, m) ((D)_mm256_mul_epu32((__m256i)(a), (__m256i)(m)))
#define GATHER(table, i) ((V)_mm256_i32gather_ps(table, (__m256i)(i), 4))
#define MERGE(e, o) ((U)_mm256_blend_epi32((__m256i)(e), (__m256i)(o), 0xAA))
#endif
#define LANES (BYTES / 4)
#define INLINE static inline __attribute__((always_inline))

typedef float V __attribute__((vector_size(BYTES)));
typedef int32_t I __attribute__((vector_size(BYTES)));
typedef uint32_t U __attribute__((vector_size(BYTES)));
typedef uint64_t D __attribute__((vector_size(BYTES)));

enum { NORMALS, GBM, GARCH, REGIMES, ASSETS, BOOTSTRAP, MODELS };
static const char *NAMES[] = {"normals", "gbm", "garch", "regimes", "assets", "bootstrap"};
static float history[2048], loads[10][10];
typedef struct { U s[4]; } State;

INLINE V least(V a, V b) { I m = a < b; return (V)((m & (I)a) | (~m & (I)b)); }
INLINE V most(V a, V b) { I m = a > b; return (V)((m & (I)a) | (~m & (I)b)); }
INLINE V pick(I m, V a, V b) { return (V)((m & (I)a) | (~m & (I)b)); }
INLINE U turn(U x, int k) { return (x << k) | (x >> (32 - k)); }

INLINE V logarithm(V x) {
    static const float C[9] = {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f,
        1.4249322787e-1f, -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f};
    I e = ((I)x - 0x3f3504f3) >> 23;
    V s = (V)((I)x - (e << 23)) - 1.0f, p = C[0] + 0 * s, z = s * s;
    for (int k = 1; k < 9; k++) p = p * s + C[k];
    return __builtin_convertvector(e, V) * 0.69314718f + (s + (s * z * p - 0.5f * z));
}

INLINE void box_muller(U u, U v, V *a, V *b) {
    V r = SQRT(-2.0f * logarithm(__builtin_convertvector((I)(u >> 8), V) * 5.9604645e-8f + 2.9802322e-8f));
    U q = v + 0x20000000u;
    V w = __builtin_convertvector((I)(v - (q & 0xC0000000u)), V) * 1.46291808e-9f, z = w * w;
    V s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * w + w;
    V c = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * (z * z) + (1 - 0.5f * z);
    I swap = (I)(q << 1) >> 31;
    U sign = (U)(0 * q) + 0x80000000u;
    *a = r * (V)((U)pick(swap, c, s) ^ (q & sign));
    *b = r * (V)((U)pick(swap, s, c) ^ ((q ^ (q << 1)) & sign));
}

INLINE void words(int fast, State *g, uint32_t lane, uint32_t step, uint32_t purpose, U w[4]) {
    if (fast) {
        U *s = g->s;
        for (int k = 0; k < 4; k++) {
            w[k] = turn(s[0] + s[3], 7) + s[0];
            U t = s[1] << 9;
            s[2] ^= s[0], s[3] ^= s[1], s[1] ^= s[2], s[0] ^= s[3], s[2] ^= t, s[3] = turn(s[3], 11);
        }
        return;
    }
    D at = (D)(U){0}, c[2][4];
    for (int i = 0; i < LANES / 2; i++) at[i] = 2 * i;
    D m0 = (D)(U){0} + 0xD2511F53u, m1 = (D)(U){0} + 0xCD9E8D57u;
    for (int h = 0; h < 2; h++) {
        D c0 = at + (lane + h), c1 = (D)(U){0} + 7, c2 = (D)(U){0} + step, c3 = (D)(U){0} + purpose;
        uint32_t k0 = 12345, k1 = 678;
        for (int r = 0; r < 10; r++) {
            D p0 = WIDE(c0, m0), p1 = WIDE(c2, m1);
            c0 = (p1 >> 32) ^ c1 ^ (uint64_t)k0, c2 = (p0 >> 32) ^ c3 ^ (uint64_t)k1, c1 = p1, c3 = p0;
            k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
        }
        c[h][0] = c0, c[h][1] = c1, c[h][2] = c2, c[h][3] = c3;
    }
    for (int i = 0; i < 4; i++) w[i] = MERGE(c[0][i], c[1][i] << 32);
}

INLINE void normals(int fast, State *g, uint32_t lane, uint32_t step, V z[4]) {
    U w[4];
    words(fast, g, lane, step, 0, w);
    box_muller(w[0], w[1], &z[0], &z[1]);
    box_muller(w[2], w[3], &z[2], &z[3]);
}

typedef struct { V x, low, peak, drop, h, a, b; } Path;

INLINE void follow(Path *p, V r) {
    p->x += r;
    p->low = least(p->low, p->x), p->peak = most(p->peak, p->x), p->drop = most(p->drop, p->peak - p->x);
}

INLINE V shaped(int model, Path *p, V z, U word) {
    if (model == GARCH) {
        V r = SQRT(p->h) * z;
        p->h = 1e-5f + (0.08f * (z * z) + 0.9f) * p->h;
        return r;
    }
    if (model == REGIMES) {
        V u = __builtin_convertvector((I)(word >> 8), V), o = 0 * u;
        I first = u < p->a, early = u < p->b;
        p->a = pick(first, o + 15e6f, pick(early, o + 8e5f, o + 1e6f));
        p->b = pick(first, o + 16e6f, pick(early, o + 16e6f, o + 5e6f));
        V mean = pick(first, o + 1e-3f, pick(early, o, o - 2e-3f));
        return mean + pick(first, o + 0.01f, pick(early, o + 0.02f, o + 0.05f)) * z;
    }
    return -4.5e-4f + 0.03f * z;
}

INLINE V path(int model, int fast, int steps) {
    State g;
    Path p = {.h = (V){0} + 1e-4f, .a = (V){0} + 8e6f, .b = (V){0} + 12e6f};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < LANES; j++) g.s[i][j] = (i * 31 + j + 1) * 2654435761u;
    for (int t = 0; t < steps; t += 4) {
        V z[4];
        U w[4] = {{0}};
        if (model == BOOTSTRAP) {
            words(fast, &g, 0, t, 0, w);
            for (int i = 0; i < 4; i++) {
                V place = __builtin_convertvector((I)(w[i] >> 8), V) * (2000.0f / 16777216.0f);
                z[i] = GATHER(history, __builtin_convertvector(place, I));
            }
        } else
            normals(fast, &g, 0, t, z);
        if (model == REGIMES) words(fast, &g, 0, t, 1, w);
        for (int i = 0; i < 4; i++)
            if (model == NORMALS) p.x += z[i];
            else follow(&p, model == BOOTSTRAP ? z[i] : shaped(model, &p, z[i], w[i]));
    }
    return p.x + p.low + p.peak + p.drop;
}

INLINE V assets(int fast, int steps) {
    State g = {{{0}}};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < LANES; j++) g.s[i][j] = (i * 31 + j + 1) * 2654435761u;
    V level[10] = {{0}}, all = {0}, z[20];
    for (int t = 0; t < steps; t += 2) {
        for (int q = 0; q < 20; q += 4) normals(fast, &g, 0, 10 * t + q, z + q);
        for (int s = 0; s < 20; s += 10)
            for (int a = 0; a < 10; a++) {
                V sum = level[a] - 4.5e-4f;
                for (int i = 0; i <= a; i++) sum += loads[a][i] * z[s + i];
                level[a] = sum;
            }
    }
    for (int a = 0; a < 10; a++) all += level[a];
    return all;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e9 * t.tv_sec + t.tv_nsec;
}

#define TIME(model, fast, width, call)                                                        \
    {                                                                                         \
        double best = 1e18;                                                                   \
        for (int round = 0; round < 9; round++) {                                             \
            double start = now();                                                             \
            for (int i = 0; i < 20; i++) sink += call;                                        \
            double taken = (now() - start) / 20 / (width) / LANES / STEPS;                    \
            if (taken < best) best = taken;                                                   \
        }                                                                                     \
        printf("%s %s %.4f\n", fast ? "xoshiro" : "philox", NAMES[model], best);              \
    }
#define STEPS 4000
#define PAIR(model) TIME(model, 0, 1, path(model, 0, STEPS)) TIME(model, 1, 1, path(model, 1, STEPS))

int main(void) {
    V sink = {0};
    for (int i = 0; i < 2048; i++) history[i] = 0.01f * ((i * 37) % 19 - 9);
    for (int i = 0; i < 100; i++) loads[i / 10][i % 10] = 0.01f;
    PAIR(NORMALS) PAIR(GBM) PAIR(GARCH) PAIR(REGIMES) PAIR(BOOTSTRAP)
    TIME(ASSETS, 0, 10, assets(0, STEPS))
    TIME(ASSETS, 1, 10, assets(1, STEPS))
    return sink[0] == 12345.678f;
}
