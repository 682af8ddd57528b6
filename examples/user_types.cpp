// Your own types in shared objects: every type that nlohmann::json can convert.
#include <iostream>
#include <tandem/tandem.hpp>

struct Account {
  std::string owner;
  double balance = 0;
  std::vector<std::string> notes;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Account, owner, balance, notes)

int main() {
  tandem::Manager manager;
  auto accounts = manager.dict<int, Account>();
  accounts[1] = Account{"Ada", 100.0, {"opened"}};

  tandem::Process worker([=] {
    Account account = accounts[1];
    account.balance += 50;
    account.notes.push_back("paid in by a worker");
    accounts[1] = account;
  });
  worker.join();

  Account account = accounts.at(1);
  std::cout << account.owner << " has " << account.balance << "; last note: " << account.notes.back() << '\n';
  try {
    manager.dict<std::string, Account>({{"broken", Account{}}}).at("missing");
  } catch (const tandem::KeyError& error) {
    std::cout << "KeyError: " << error.what() << '\n';
  }
}
