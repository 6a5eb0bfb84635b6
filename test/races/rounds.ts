import { strict as assert } from 'node:assert';
import { violations } from './checker.ts';
import { type Held, Player, type Racers } from './player.ts';

/** One race: people of its own, requests that are released together, and looks at what has come of it. */
type Round = (on: {
  readonly player: Player;
  readonly email: string;
  readonly random: Random;
}) => Promise<void>;
/** 0 to 1. */
type Random = () => number;

export const races = {
  async 'same email'({ player, email, random }) {
    const spellings = [email, email.toUpperCase(), email.replace('race', 'Race')];
    await together(random, 3 + whole(random, 4), async i => {
      await player.register(i, { email }, spellings[whole(random, 3)]);
    });
  },

  async 'same refresh token'({ player, email, random }) {
    const held = await enter(player, email, random);
    const endsToo = random() < 0.3;
    const renewed = await together(random, 3 + whole(random, 6), async i => {
      if (endsToo && i === 2) return void (await player.logout(i, held));
      const next = await player.refresh(i, held);
      if (next) await player.me(i + 1, next);
      return next;
    });
    const last = renewed.find(next => next !== undefined) ?? held;
    await together(random, 3, async i => await player.me(i, last));
    await player.refresh(whole(random, 3), last);
  },

  async 'logout, then a look elsewhere'({ player, email, random }) {
    const held = await enter(player, email, random);
    const at = whole(random, 3);
    await together(random, 3, async i => await player.me(i, held));
    await together(random, 7, async i => {
      if (i > 0) return await player.me(at + i, held);
      await player.logout(at, held);
      // At once, on all others.
      await Promise.all([player.me(at + 1, held), player.me(at + 2, held), player.me(at, held)]);
    });
    await player.refresh(at + 1, held);
  },

  async 'key rotation'({ player, email, random }) {
    const held = [await enter(player, email, random)];
    /** Three clients who ask for tokens, while three operators do something. */
    const issue = async (operate?: (operator: number) => Promise<void>) => {
      const [before] = held.slice(-1);
      const issued = await together(random, 6, async i => {
        if (i < 3) return void (await operate?.(i));
        const next = await (i % 2 || !before ? player.login(i, { email }, 0) : player.refresh(i, before));
        if (next && before) await Promise.all([player.me(i + 1, next), player.me(i + 2, before)]);
        return next;
      });
      held.push(...issued.filter(next => next !== undefined));
    };
    /** The same, while nobody asks for a token: what signs in the place of a revoked key is not known everywhere at once. */
    const withoutIssue = async (operate: (operator: number) => Promise<void>) => {
      await together(random, 6, async i => {
        if (i < 3) return await operate(i);
        for (const one of held.slice(-2)) await player.me(i, one);
      });
    };
    const look = async () => {
      await player.list(whole(random, 3));
      await together(random, 3, async i => {
        await player.keys(i);
        for (const one of [...held.slice(0, 1), ...held.slice(-5)])
          if (random() < 0.5) await player.me(i, one);
      });
    };

    const [signer = ''] = await player.list(0);
    if (random() < 0.5) await issue(async i => await player.rotate(i));
    else await withoutIssue(async i => await (i === 0 ? player.revoke(i, signer) : player.rotate(i)));
    // A node looks for new keys every 30 seconds, and a new one signs from 660 on: on real clocks while they look.
    for (const seconds of [31, 600, 28.8, 31]) {
      player.turn(seconds);
      await issue();
      await look();
    }
    const signing = await player.list(1);
    const endEach = (how: 'retire' | 'revoke') => async (i: number) => {
      const kid = signing[i];
      if (kid !== undefined) await player[how](i, kid);
      else if (random() < 0.5) await player.rotate(i);
    };
    if (random() < 0.5) await issue(endEach('retire'));
    else await withoutIssue(endEach('revoke'));
    player.turn(31);
    await issue();
    await look();
  },

  async 'password change'({ player, email, random }) {
    const first = await enter(player, email, random);
    const second = await player.login(1, { email }, 0);
    const third = await player.login(2, { email }, 0);
    assert.ok(second && third);
    const late: Held[] = [];
    await together(random, 3, async i => await player.me(i, third));
    await together(random, 8, async i => {
      if (i < 2) return await player.change(i, { email }, [first, second][i] ?? first, 0, i + 1);
      if (i < 5) {
        const opened = await player.login(i, { email }, 0);
        if (opened) late.push(opened);
        return;
      }
      if (i === 5) {
        await player.refresh(i, third);
        return;
      }
      await player.me(i, third);
    });
    await together(random, 3, async i => {
      for (const held of [first, second, third, ...late]) await player.me(i, held);
      for (const password of [0, 1, 2]) await player.login(i, { email }, password);
    });
  },
} satisfies Record<string, Round>;

export type Race = keyof typeof races;

interface Played {
  /** What in the history cannot be. */
  readonly found: readonly string[];
  /** Requests. */
  readonly count: number;
}

/** Runs one round. `name`: of its person, a new one each time. */
export async function play(race: Race, racers: Racers, name: string, random: Random): Promise<Played> {
  const player = new Player(racers);
  await races[race]({ player, email: `race-${name}@example.com`, random });
  assert.ok(player.history.length > 2);
  return { found: violations(player.history), count: player.history.length };
}

/** Somebody new, logged in. */
async function enter(player: Player, email: string, random: Random): Promise<Held> {
  await player.register(whole(random, 3), { email });
  const held = await player.login(whole(random, 3), { email }, 0);
  assert.ok(held);
  return held;
}

/** Released at one moment, or a few turns of the event loop later. */
async function together<T>(random: Random, count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      for (let turns = Math.floor(random() * random() * 20); turns > 0; turns--)
        await new Promise(setImmediate);
      return await work(index);
    }),
  );
}

/** From 0 to below `end`. */
function whole(random: Random, end: number): number {
  return Math.floor(random() * end);
}
