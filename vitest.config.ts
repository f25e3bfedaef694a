// Two groups of tests: `unit`, beside their subjects, and `built`, which run the built command and so build it first.
import { defineConfig } from 'vitest/config'

const shared = { testTimeout: 30_000, hookTimeout: 30_000 }

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts', 'tests/{support,docs}/**/*.test.ts'],
          globalSetup: ['tests/support/suite-setup.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'built',
          include: ['packages/*/tests/**/*.test.ts', 'tests/{e2e,chaos}/**/*.test.ts'],
          globalSetup: ['tests/support/build-setup.ts', 'tests/support/suite-setup.ts'],
        },
      },
    ],
  },
})
