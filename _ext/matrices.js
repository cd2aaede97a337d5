// Operations on numbers and on matrices, arrays of rows: `$.Add(a, b)` is a + b. A number, a single
// row and a single column are repeated until they fit, as in NumPy.
const $ = (() => {
  const rows = (a) => (Array.isArray(a) ? a : [[a]]);
  const table = (m, n, f) => {
    const made = [];
    for (let i = 0; i < m; i++) {
      made.push([]);
      for (let j = 0; j < n; j++) made[i].push(f(i, j));
    }
    return made;
  };
  const each = (f) => (a, b) => {
    if (!Array.isArray(a) && !Array.isArray(b)) return f(a, b);
    const p = rows(a), q = rows(b), [m, n, k, l] = [p.length, p[0].length, q.length, q[0].length];
    return table(Math.max(m, k), Math.max(n, l), (i, j) => f(p[i % m][j % n], q[i % k][j % l]));
  };
  const plus = (x, y) => x + y;
  const mT = (a) => table(a[0].length, a.length, (i, j) => a[j][i]);
  const across = (a) => a.map((row) => [row.reduce(plus)]);
  const down = (a) => mT(across(mT(a)));
  return {
    Add: each(plus),
    Sub: each((x, y) => x - y),
    Mult: each((x, y) => x * y),
    Div: each((x, y) => x / y),
    Pow: each((x, y) => x ** y),
    Lt: each((x, y) => x < y),
    LtE: each((x, y) => x <= y),
    Gt: each((x, y) => x > y),
    GtE: each((x, y) => x >= y),
    Eq: each((x, y) => x === y),
    USub: each((x) => -x),
    abs: each((x) => Math.abs(x)),
    max: Math.max,
    MatMult: (a, b) => table(a.length, b[0].length, (i, j) => {
      let sum = 0;
      for (let k = 0; k < b.length; k++) sum += a[i][k] * b[k][j];
      return sum;
    }),
    mT, across, down,
    total: (a) => down(across(a)),
    rows: (a) => a.length,
    columns: (a) => a[0].length,
  };
})();
