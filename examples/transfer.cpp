// Eight processes move money between two dicts. Each move is a transaction: both accounts change or neither
// does, no money is spent twice, and every reader sees the same sum at every moment.
#include <iostream>
#include <random>
#include <tandem/tandem.hpp>
#include <vector>

using Accounts = tandem::Dict<std::string, int>;

const std::vector<std::string> names{"alice", "bob", "carol", "dave"};

/// Returns whether there was enough money.
bool transfer(const tandem::Manager& manager, const Accounts& from, const Accounts& to,
              const std::string& payer, const std::string& payee, int amount) {
  return manager.atomically([&](tandem::Transaction& tx) {
    auto source = tx(from);
    auto target = tx(to);
    if (source.at(payer) < amount) return false;
    source[payer] -= amount;
    target[payee] += amount;
    return true;
  });
}

int sum_of(const tandem::Manager& manager, const Accounts& a, const Accounts& b) {
  return manager.atomically([&](tandem::Transaction& tx) {
    int sum = 0;
    for (int balance : tx(a).values()) sum += balance;
    for (int balance : tx(b).values()) sum += balance;
    return sum;
  });
}

int main() {
  tandem::Manager manager;
  auto savings = manager.dict<std::string, int>();
  auto current = manager.dict<std::string, int>();
  for (const auto& name : names) savings[name] = current[name] = 1000;

  std::vector<tandem::Process> workers;
  for (unsigned n = 0; n < 8; ++n)
    workers.emplace_back([=] {
      std::minstd_rand random(n + 1);
      for (int i = 0; i < 50; ++i) {
        const auto& payer = names[random() % names.size()];
        const auto& payee = names[random() % names.size()];
        if (n % 2 == 0)
          transfer(manager, savings, current, payer, payee, 1 + static_cast<int>(random() % 100));
        else transfer(manager, current, savings, payer, payee, 1 + static_cast<int>(random() % 100));
        if (sum_of(manager, savings, current) != 8000) std::cout << "money was lost or made\n";
      }
    });
  for (auto& worker : workers) worker.join();
  std::cout << "8 processes made 50 moves each; the sum is " << sum_of(manager, savings, current) << '\n';
}
