/* Quantiles of the symmetric beta distribution, for the schedule "beta": the regularised incomplete beta function by
 * its continued fraction (Abramowitz and Stegun, 26.5.8, in Lentz's form), inverted by bisection. */
#include "diffusion/schedule.h"

#include <float.h>
#include <math.h>

static double away_from_zero(double x) { return fabs(x) < DBL_MIN ? DBL_MIN : x; }

/* The fraction for I_x(a, a), which converges fast for x up to a half. */
static double fraction(double a, double x) {
  double c = 1.0, d = 1.0 / away_from_zero(1.0 - 2.0 * a * x / (a + 1.0)), f = d;
  for (int m = 1; m < 300; m++) {
    const double even = m * (a - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (2 * a + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1.0 / away_from_zero(1.0 + even * d);
    c = away_from_zero(1.0 + even / c);
    f *= c * d;
    d = 1.0 / away_from_zero(1.0 + odd * d);
    c = away_from_zero(1.0 + odd / c);
    f *= c * d;
    if (fabs(c * d - 1.0) < DBL_EPSILON) break;
  }
  return f;
}

/* I_x(a, a) for x within 0 and a half. */
static double lower_half(double a, double x) {
  const double scale = tgamma(2.0 * a) / (tgamma(a) * tgamma(a));
  return x <= 0.0 ? 0.0 : scale * pow(x * (1.0 - x), a) / a * fraction(a, x);
}

double sumi__beta_quantile(double a, double p) {
  if (p > 0.5) return 1.0 - sumi__beta_quantile(a, 1.0 - p);
  double low = 0.0, high = 0.5;
  for (int i = 0; i < 1100 && high - low > DBL_EPSILON * high; i++) {
    const double middle = 0.5 * (low + high);
    if (lower_half(a, middle) < p)
      low = middle;
    else
      high = middle;
  }
  return p <= 0.0 ? 0.0 : 0.5 * (low + high);
}
