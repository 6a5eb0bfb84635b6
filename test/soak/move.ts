/** 100,000 people moving to PostgreSQL and back; the suite moves 2,500. `TEST_DATABASE=postgres node --test test/soak/move.ts` */
import test from 'node:test';
import { moveThereAndBack } from '../database/postgres/there-and-back.ts';

test('100,000 people move there and back, and everything is the same', t => moveThereAndBack(t, 100_000));
