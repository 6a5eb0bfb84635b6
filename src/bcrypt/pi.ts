/**
 * The first `length` bytes of the fractional part of pi, the most significant first. Blowfish takes its P array
 * and S boxes from there; computing them leaves no table of a thousand constants to trust.
 *
 * The Chudnovsky brothers' series (1988) in fixed point, 47 bits a term:
 *   1 / pi = 12 * sum of (-1)^k (6k)! (13591409 + 545140134 k) / ((3k)! k!^3 640320^(3k + 3/2))
 */
export function fractionOfPi(length: number): Uint8Array {
  const bits = BigInt(8 * length) + GUARD;
  let term = 1n << bits; // (-1)^k (6k)! / ((3k)! k!^3 640320^(3k))
  let terms = 0n;
  let termsTimesK = 0n;
  for (let k = 0n; term !== 0n; ) {
    terms += term;
    termsTimesK += k * term;
    k++;
    term = (-term * (6n * k - 5n) * (2n * k - 1n) * (6n * k - 1n)) / (k ** 3n * CUBE_BY_24);
  }
  const sum = 13591409n * terms + 545140134n * termsTimesK;
  const pi = ((426880n * squareRoot(10005n << (2n * bits))) << bits) / sum; // 640320^(3/2) / 12
  const fraction = BigInt.asUintN(8 * length, pi >> GUARD);
  return new Uint8Array(Buffer.from(fraction.toString(16).padStart(2 * length, '0'), 'hex'));
}

/** Every step rounds by less than a unit in the last place; 64 bits take the sum of all of them. */
const GUARD = 64n;

const CUBE_BY_24 = 640320n ** 3n / 24n;

/** To a few units in the last place. Newton's step doubles the digits, so it starts from those of half the length. */
function squareRoot(n: bigint): bigint {
  if (n < 1n << 52n) return BigInt(Math.floor(Math.sqrt(Number(n))));
  const quarter = BigInt(n.toString(16).length); // in bits: each digit has four
  const guess = squareRoot(n >> (2n * quarter)) << quarter;
  return (guess + n / guess) >> 1n;
}
